import { useQuery } from '@tanstack/react-query';
import type { HostDetail, Sample } from '@/api/schema';
import type { Point } from '@/ui/chart';
import { formatPercent } from '@/ui/format';
import { LineChart } from '@/ui/LineChart';
import { Panel } from '@/ui/Panel';
import { toneAt } from '@/ui/tone';
import { useNow } from '@/ui/useNow';
import { SAMPLE_MINUTES, samplesQuery } from './api';
import { AgentPanel, HostPanel } from './HostFacts';
import classes from './HostPage.module.css';
import vital from './Vital.module.css';
import { HOST_THRESHOLDS } from './words';

type Measure = 'cpu_percent' | 'memory_percent' | 'disk_percent';

const VITALS: readonly { measure: Measure; label: string }[] = [
  { measure: 'cpu_percent', label: 'CPU' },
  { measure: 'memory_percent', label: 'Memory' },
  { measure: 'disk_percent', label: 'Disk' },
];

/** A young host fills its charts from the start; they grow to the whole hour. */
const SHORTEST_WINDOW_MS = 5 * 60_000;
const LONGEST_WINDOW_MS = SAMPLE_MINUTES * 60_000;

const DEFAULT_INTERVAL_SECONDS = 30;
/** After so many missed heartbeats the line is interrupted. */
const MISSED_HEARTBEATS = 3;

export function OverviewTab({ host }: { host: HostDetail }) {
  const samples = useQuery(samplesQuery(host.id)).data?.items ?? [];
  return (
    <>
      <div className={classes.grid}>
        {VITALS.map(({ measure, label }) => (
          <Vital key={measure} host={host} measure={measure} label={label} samples={samples} />
        ))}
      </div>
      <div className={classes.pair}>
        <HostPanel host={host} />
        <AgentPanel agent={host.agent} />
      </div>
    </>
  );
}

interface VitalProps {
  host: HostDetail;
  measure: Measure;
  label: string;
  samples: readonly Sample[];
}

function Vital({ host, measure, label, samples }: VitalProps) {
  const now = useNow();
  const value = host[measure];
  const points: Point[] = samples.map((sample) => ({
    at: Date.parse(sample.at),
    value: sample[measure],
  }));
  // A fresh sample may be newer than the last tick of the page's clock.
  const end = Math.max(now, points[points.length - 1]?.at ?? now);
  const age = end - (points[0]?.at ?? end);
  const interval = host.agent?.heartbeat_interval_seconds ?? DEFAULT_INTERVAL_SECONDS;
  return (
    <Panel title={label}>
      <p
        className={vital.value}
        data-tone={value === null ? 'quiet' : toneAt(value, HOST_THRESHOLDS)}
      >
        {formatPercent(value)}
      </p>
      <LineChart
        label={label}
        points={points}
        now={end}
        windowMs={Math.min(LONGEST_WINDOW_MS, Math.max(SHORTEST_WINDOW_MS, age))}
        gapMs={interval * MISSED_HEARTBEATS * 1_000}
        thresholds={HOST_THRESHOLDS}
      />
    </Panel>
  );
}
