// Other people's programs, run with a limit of time and with their output kept for the error.

import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Something that cannot be had. `fix` tells the user what to do about it. */
export class Problem extends Error {
  constructor(message, fix) {
    super(message);
    this.fix = fix;
  }
}

const keptBytes = 16 * 1024;

/**
 * Runs a program to its end. Resolves with its exit code (null when it was killed or cannot be
 * started) and the end of what it said; never rejects. `onLine` hears each line as it comes.
 */
export function run(of) {
  return new Promise((resolve) => {
    const child = spawn(of.command, of.args ?? [], {
      cwd: of.cwd,
      env: of.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let said = '';
    let rest = '';
    const limit = setTimeout(() => child.kill('SIGKILL'), of.timeoutMs ?? 30_000);
    const hear = (text) => {
      said = (said + text).slice(-keptBytes);
      if (!of.onLine) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) of.onLine(line);
    };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout = of.wholeOutput ? stdout + text : (stdout + text).slice(-keptBytes);
      hear(text);
    });
    child.stderr.setEncoding('utf8').on('data', hear);
    const end = (code, error) => {
      clearTimeout(limit);
      resolve({ code, stdout, said: error ? String(error.message) : said });
    };
    child.on('error', (error) => end(null, error));
    child.on('close', (code) => end(code));
  });
}

/** The last lines a program said, for an error message. */
export const lastLines = (text, count = 6) =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');

/** The full path of a program on PATH, or null. */
export function onPath(name, env) {
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    if (directory === '') continue;
    const path = join(directory, name);
    if (isExecutable(path)) return path;
  }
  return null;
}

/** Whether there is a file at `path` that we may execute. */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
