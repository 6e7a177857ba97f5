/** A part of what may start: the repairs of one policy, or the hosts of one fault domain (`zone=eu-1`). */
export type StopScope =
  | { readonly policy: string; readonly domain?: undefined }
  | { readonly domain: string; readonly policy?: undefined };

/** That it is stopped: why, by whom and since when (Unix milliseconds). `scope` null: everything is. */
export type StandingStop = {
  readonly scope: StopScope | null;
  readonly reason: string;
  readonly by: string;
  readonly at: number;
};

/** What a running repair is told of its policy: who stopped it; null once it may go on. */
export type StopChangedSignal = { readonly stop: StandingStop | null };
