import { createMemoryHistory } from '@tanstack/react-router';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { App } from '@/app/App';
import { start } from '@/app/start';
import { aHost, aMe, aSummary, facets, methods, pageOf } from './fixtures';
import { type Answers, mockApi } from './mockApi';

/** A signed-in person and a fleet of one host; tests change what they are about. */
const ORDINARY: Answers = {
  'GET /auth/methods': methods(),
  'GET /me': aMe(),
  'GET /hosts': pageOf([aHost()]),
  'GET /hosts/summary': aSummary(),
  'GET /hosts/facets': facets(),
  'GET /agents': pageOf([]),
};

/** The whole interface at an address, in front of a stand-in for the server. */
export function renderApp(path: string, answers: Answers = {}) {
  const api = mockApi({ ...ORDINARY, ...answers });
  const running = start(createMemoryHistory({ initialEntries: [path] }));
  render(<App running={running} env="test" />);
  return {
    api,
    user: userEvent.setup(),
    /** What the address bar shows. */
    address: () => running.router.state.location.href,
    back: () => running.router.history.back(),
  };
}

/** The rows of a table without its head, as the texts of their cells. */
export async function tableRows(name: string): Promise<string[][]> {
  const table = await screen.findByRole('table', { name });
  return within(table)
    .getAllByRole('row')
    .slice(1)
    .map((row) =>
      within(row)
        .getAllByRole('cell')
        .map((cell) => cell.textContent ?? ''),
    );
}
