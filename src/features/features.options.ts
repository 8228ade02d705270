import { type OptionsClass } from '../config/from-env.js';
import { TransfersOptions } from './transfers/transfers.options.js';

/**
 * The options that features read from the environment, a class each. Apart from their modules, so that a command reads
 * the configuration without loading the application.
 */
export const FEATURE_OPTIONS: OptionsClass[] = [TransfersOptions];
