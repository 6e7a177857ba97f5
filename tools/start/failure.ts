/** Something that keeps `npm start` from running, said as one sentence, with what to do about it. */
export class StartFailure extends Error {
  readonly fix: string;
  constructor(message: string, fix: string) {
    super(message);
    this.name = 'StartFailure';
    this.fix = fix;
  }
}
