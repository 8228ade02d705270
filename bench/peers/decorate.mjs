// eslint-disable-next-line import/no-unassigned-import -- it adds to `Reflect`
import 'reflect-metadata';

/**
 * Decorators without a compiler.
 * @param {Function} target @param {(ClassDecorator | MethodDecorator)[]} decorators
 * @param {string} [method] of which they are, instead of the class
 */
export function decorate(target, decorators, method) {
  if (method === undefined) {
    Reflect.decorate(/** @type {ClassDecorator[]} */ (decorators), target);
    return;
  }
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, method);
  Reflect.decorate(/** @type {MethodDecorator[]} */ (decorators), target.prototype, method, descriptor);
}
