// What the dashboard must be, as Grafana's own types say. The test puts the JSON in place of the names below.
import type { Dashboard } from "@grafana/schema";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as TimeSeries } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// Its enumerations, as they stand in JSON.
type Plain<T> = T extends string
  ? `${T}`
  : T extends (infer U)[]
    ? Plain<U>[]
    : T extends object
      ? { [K in keyof T]: Plain<T[K]> }
      : T;

export const dashboard: Plain<Dashboard> = DASHBOARD;
export const stat: Plain<Stat>[] = OF_STAT;
export const timeSeries: Plain<TimeSeries>[] = OF_TIME_SERIES;
