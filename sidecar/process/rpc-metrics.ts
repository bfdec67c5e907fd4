/** Metrics of calls, by method and status. Both are few and known. */
import { CALL_SECONDS_BOUNDS, type CallFigures } from "../rpc/observed.ts";
import { type Registry, showCounter, showGauge, showHistogram } from "./metrics.ts";

/** Registers the metrics of calls. Only methods that were called are shown. */
export function registerRpcMetrics(registry: Registry, figures: CallFigures): void {
  const all = () => [...figures.values()];
  showCounter(
    registry,
    {
      name: "taskhub_rpc_calls_total",
      help: "Calls that a method has answered, and streams that have ended, by gRPC status.",
      labels: ["method", "code"],
    },
    () =>
      all().flatMap(({ method, codes }) =>
        Array.from(codes, ([code, value]) => ({ labels: { method, code }, value })),
      ),
  );
  showHistogram(
    registry,
    {
      name: "taskhub_rpc_duration_seconds",
      help: "How long unary calls took within the method, the wait for the disk included.",
      labels: ["method"],
    },
    CALL_SECONDS_BOUNDS,
    () =>
      all()
        .filter(({ seconds }) => seconds.count > 0)
        .map(({ method, seconds }) => ({ labels: { method }, tally: seconds })),
  );
  showGauge(
    registry,
    {
      name: "taskhub_rpc_open_streams",
      help: "Streams that are open.",
      labels: ["method"],
    },
    () =>
      all()
        .filter(({ openStreams, codes }) => openStreams > 0 || codes.size > 0)
        .map(({ method, openStreams }) => ({ labels: { method }, value: openStreams })),
  );
}
