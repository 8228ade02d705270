import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SystemClock } from './clock.js';

describe('Clock.at', () => {
  const clock = new SystemClock();
  const called = jest.fn();
  beforeEach(() => {
    called.mockClear();
    jest.useFakeTimers();
  });
  afterEach(() => void jest.useRealTimers());

  it('calls back once the time has come, once', () => {
    clock.at(clock.now() + 5_000, called);
    jest.advanceTimersByTime(4_999);
    expect(called).not.toHaveBeenCalled();
    jest.advanceTimersByTime(10_000);
    expect(called).toHaveBeenCalledTimes(1);
  });

  it('calls back soon for a time that has passed', () => {
    clock.at(clock.now() - 1, called);
    jest.advanceTimersByTime(1);
    expect(called).toHaveBeenCalledTimes(1);
  });

  it('waits longer than one timer can', () => {
    const days = 60 * 86_400_000;
    clock.at(clock.now() + days, called);
    jest.advanceTimersByTime(days - 1);
    expect(called).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(called).toHaveBeenCalledTimes(1);
  });

  it('waits again if the clock was set back', () => {
    clock.at(clock.now() + 5_000, called);
    jest.setSystemTime(clock.now() - 60_000);
    jest.advanceTimersByTime(5_000);
    expect(called).not.toHaveBeenCalled();
    jest.advanceTimersByTime(60_000);
    expect(called).toHaveBeenCalledTimes(1);
  });

  it('leaves no timer when it is cancelled', () => {
    const cancel = clock.at(clock.now() + 5_000, called);
    cancel();
    expect(jest.getTimerCount()).toBe(0);
  });
});
