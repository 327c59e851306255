import { mailDirectory } from './mail';
import { stopAll } from './programs';
import { setting } from './setting';
import { startSink } from './smtp';

/** Before the first journey: the mail server. What is returned runs after the last one. */
// biome-ignore lint/style/noDefaultExport: the runner takes the default export
export default async function begin(): Promise<() => Promise<void>> {
  const sink = await startSink(Number(setting('JOURNEY_SMTP_PORT')), mailDirectory());
  return async () => {
    stopAll();
    await new Promise((resolve) => sink.close(resolve));
  };
}
