import { type HistogramFigures, StatsHistogram } from "./stats-histogram.ts";
import { otherLabels, otherLabelsOf, standardLabels } from "./stats-labels.ts";
import type { Peer, RequestRecord } from "./stream/record.ts";

/**
 * Istio's standard metrics of the requests through this proxy. Counting is a few look-ups by identity: the two sides of
 * a call are objects that outlive it (of a connection, of an instance), so that which series a request belongs to is
 * worked out once for each pair, code and flags. The labels are text from the start, and the page is written only when
 * somebody asks for it.
 */

/** Series come from services, versions and codes; past this many the rest is counted under one. */
const MAX_SERIES = 1_000;

interface Series {
  readonly labels: string;
  requests: number;
  readonly durationMs: StatsHistogram;
  readonly requestBytes: StatsHistogram;
  readonly responseBytes: StatsHistogram;
}

/** One series, to be told to another process. */
export interface SeriesFigures {
  readonly labels: string;
  readonly requests: number;
  readonly durationMs: HistogramFigures;
  readonly requestBytes: HistogramFigures;
  readonly responseBytes: HistogramFigures;
}

/** By status, negative over mutual TLS, or, for the few with flags, by all of it as text. */
type SeriesByAnswer = Map<number | string, Series>;
type Pairs = WeakMap<Peer, WeakMap<Peer, SeriesByAnswer>>;

export class RequestStats {
  readonly #series = new Map<string, Series>();
  readonly #maxSeries: number;
  readonly #pairs: Readonly<Record<RequestRecord["side"], Pairs>> = { inbound: new WeakMap(), outbound: new WeakMap() };

  /** `maxSeries`: default 1000. */
  constructor(maxSeries = MAX_SERIES) {
    this.#maxSeries = maxSeries;
  }

  /** On the request path. */
  count(record: RequestRecord): void {
    const answers = this.#answers(record);
    const key = answerKey(record);
    let series = answers.get(key);
    if (series === undefined) {
      series = this.#find(record);
      answers.set(key, series);
    }
    series.requests++;
    series.durationMs.observe(record.durationMs);
    series.requestBytes.observe(record.bytesReceived);
    series.responseBytes.observe(record.bytesSent);
  }

  figures(): SeriesFigures[] {
    return [...this.#series.values()].map(({ labels, requests, durationMs, requestBytes, responseBytes }) => ({
      labels,
      requests,
      durationMs: durationMs.figures,
      requestBytes: requestBytes.figures,
      responseBytes: responseBytes.figures,
    }));
  }

  /** Counts what others have counted. */
  add(others: readonly SeriesFigures[]): void {
    for (const other of others) {
      const series = this.#seriesOf(other.labels, otherLabelsOf);
      series.requests += other.requests;
      series.durationMs.add(other.durationMs);
      series.requestBytes.add(other.requestBytes);
      series.responseBytes.add(other.responseBytes);
    }
  }

  /** In the Prometheus text format. */
  text(): string {
    const all = [...this.#series.values()];
    const requests = all.map(({ labels, requests }) => `istio_requests_total{${labels}} ${requests}\n`);
    return [
      header("istio_requests_total", "counter", "Requests, as this proxy saw them."),
      ...requests,
      this.#histogram("istio_request_duration_milliseconds", "Time of requests.", (series) => series.durationMs),
      this.#histogram("istio_request_bytes", "Size of request bodies.", (series) => series.requestBytes),
      this.#histogram("istio_response_bytes", "Size of response bodies.", (series) => series.responseBytes),
    ].join("");
  }

  #histogram(name: string, help: string, of: (series: Series) => StatsHistogram): string {
    const lines = [...this.#series.values()].map((series) => of(series).lines(name, series.labels));
    return header(name, "histogram", help) + lines.join("");
  }

  #answers({ side, source, destination }: RequestRecord): SeriesByAnswer {
    const pairs = this.#pairs[side];
    let destinations = pairs.get(source);
    if (destinations === undefined) {
      destinations = new WeakMap();
      pairs.set(source, destinations);
    }
    let answers = destinations.get(destination);
    if (answers === undefined) {
      answers = new Map();
      destinations.set(destination, answers);
    }
    return answers;
  }

  #find(record: RequestRecord): Series {
    return this.#seriesOf(standardLabels(record), () => otherLabels(record));
  }

  /** `other`: the labels to count under when there are too many. */
  #seriesOf(wanted: string, other: (labels: string) => string): Series {
    const isKnown = this.#series.size < this.#maxSeries || this.#series.has(wanted);
    const labels = isKnown ? wanted : other(wanted);
    let series = this.#series.get(labels);
    if (series === undefined) {
      series = {
        labels,
        requests: 0,
        durationMs: new StatsHistogram(),
        requestBytes: new StatsHistogram(),
        responseBytes: new StatsHistogram(),
      };
      this.#series.set(labels, series);
    }
    return series;
  }
}

function answerKey({ status, flags, mutualTls, route }: RequestRecord): number | string {
  if (flags !== "" || route === "passthrough") return `${status}|${flags}|${mutualTls}|${route}`;
  return mutualTls ? -status : status;
}

function header(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}
