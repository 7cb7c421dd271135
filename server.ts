/** The same command under the name of a TypeScript file. */
import './start.js';
