import { existsSync } from 'node:fs';
import { runAdmin } from './admin/program.ts';
import { processTerminal } from './terminal.ts';

if (existsSync('.env')) process.loadEnvFile();
process.exitCode = await runAdmin(process.argv.slice(2), processTerminal());
