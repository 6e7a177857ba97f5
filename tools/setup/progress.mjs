// Says what is being made and for how long: in place on a terminal, elsewhere as a line when
// something changes and every ten seconds. Work that takes no time is not mentioned.

const quietMs = 700;
const repeatMs = 10_000;

/** `3 min 10 s`, from milliseconds. */
function elapsed(ms) {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}

class Task {
  constructor(progress, title) {
    this.progress = progress;
    this.title = title;
    this.startedAt = Date.now();
    this.saidAt = 0;
    this.phase = null;
    this.state = 'running';
  }

  /** What is being done now; a phase that changes only its counter is not a new line. */
  now(phase, detail = '') {
    const changed = phase !== this.phase;
    this.phase = phase;
    this.detail = detail;
    if (changed) this.progress.changed(this);
  }

  /** A line for the user to keep, such as "the download failed, building instead". */
  note(text) {
    this.progress.line(text);
  }

  done() {
    this.state = 'done';
    const took = Date.now() - this.startedAt;
    if (took > 2 * quietMs && this.phase)
      this.progress.line(`${this.title}: ready after ${elapsed(took)}`);
  }

  failed() {
    this.state = 'failed';
  }

  get text() {
    const detail = this.detail ? `, ${this.detail}` : '';
    return `${this.phase}${detail}, ${elapsed(Date.now() - this.startedAt)} so far`;
  }
}

export class Progress {
  constructor(stream) {
    this.stream = stream;
    this.inPlace = stream.isTTY === true;
    this.tasks = [];
    this.shown = '';
    this.timer = setInterval(() => this.tick(), this.inPlace ? 1_000 : 500);
    this.timer.unref();
  }

  task(title) {
    const task = new Task(this, title);
    this.tasks.push(task);
    return task;
  }

  changed(task) {
    if (!this.inPlace && task.saidAt > 0) task.saidAt = 1;
  }

  line(text) {
    this.clear();
    this.stream.write(`${text}\n`);
    this.draw();
  }

  tick() {
    if (this.inPlace) {
      this.clear();
      this.draw();
      return;
    }
    const now = Date.now();
    for (const task of this.running()) {
      if (now - task.startedAt < quietMs || now - task.saidAt < repeatMs) continue;
      task.saidAt = now;
      this.stream.write(`${task.text}\n`);
    }
  }

  end() {
    clearInterval(this.timer);
    this.clear();
  }

  running() {
    return this.tasks.filter((task) => task.state === 'running' && task.phase !== null);
  }

  clear() {
    if (this.shown === '') return;
    this.stream.write('\r\u001b[2K');
    this.shown = '';
  }

  draw() {
    if (!this.inPlace) return;
    const busy = this.running().filter((task) => Date.now() - task.startedAt >= quietMs);
    this.shown = busy
      .map((task) => task.text)
      .join(' · ')
      .slice(0, Math.max(20, (this.stream.columns ?? 80) - 1));
    this.stream.write(this.shown);
  }
}
