import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { HostUpdate } from '@/api/schema';
import { FakeEventSource } from '@/testing/eventSource';
import { ago, aHostDetail } from '@/testing/fixtures';
import { renderApp, tableRows } from '@/testing/renderApp';
import { withSample } from './live';

const SAMPLES = {
  items: [
    { at: ago(60), cpu_percent: 10, memory_percent: 40, disk_percent: 50 },
    { at: ago(30), cpu_percent: 20, memory_percent: 40, disk_percent: 50 },
  ],
};

function open(path = '/hosts/h1', detail = aHostDetail()) {
  return renderApp(path, {
    'GET /hosts/{id}': detail,
    'GET /hosts/{id}/samples': SAMPLES,
  });
}

function update(more: Partial<HostUpdate> = {}): HostUpdate {
  return {
    id: 'h1',
    status: 'online',
    cpu_percent: 77.7,
    memory_percent: 41,
    disk_percent: 95,
    uptime_seconds: 93_814,
    last_seen_at: ago(0),
    recorded_at: ago(0),
    ...more,
  };
}

describe('overview', () => {
  it('Spec: hosts 26: the_header_names_the_host_its_status_and_when_it_was_seen', async () => {
    open('/hosts/h1', aHostDetail({ display_name: 'Shop' }));
    expect(await screen.findByRole('heading', { level: 1, name: /Shop\s*Online/ })).toBeVisible();
    expect(screen.getAllByText('3 min ago').length).toBeGreaterThan(0);
  });

  it('Spec: hosts 26: metadata_and_agent_identity_are_shown', async () => {
    open();
    const host = await screen.findByRole('region', { name: 'Host' });
    expect(host).toHaveTextContent('Uptime1 d 2 h');
    expect(host).toHaveTextContent('First seen3 d ago');
    const agent = screen.getByRole('region', { name: 'Agent' });
    expect(agent).toHaveTextContent('Version0.1.0');
    expect(agent).toHaveTextContent('Approved3 d ago by Ada Moss');
    expect(agent).toHaveTextContent('Certificate endsin 60 d');
    expect(agent).toHaveTextContent('SHA256:host-key');
  });

  it('Spec: hosts 26: vitals_change_colour_at_70_and_90', async () => {
    open('/hosts/h1', aHostDetail({ cpu_percent: 69.9, memory_percent: 70, disk_percent: 90 }));
    const tone = async (name: string, value: string) =>
      within(await screen.findByRole('region', { name }))
        .getByText(value)
        .getAttribute('data-tone');
    expect(await tone('CPU', '69.9%')).toBe('ok');
    expect(await tone('Memory', '70.0%')).toBe('warn');
    expect(await tone('Disk', '90.0%')).toBe('bad');
  });
});

describe('tabs', () => {
  it('Spec: hosts 26: storage_lists_file_systems', async () => {
    const { user, address } = open();
    await user.click(await screen.findByRole('tab', { name: 'Storage' }));
    expect(await tableRows('File systems')).toEqual([
      ['/', '/dev/vda1', 'ext4', '100 GiB', '91.0 GiB', '9.0 GiB', '91.0%'],
    ]);
    await waitFor(() => expect(address()).toBe('/hosts/h1?tab=storage'));
  });

  it('Spec: hosts 26: storage_turns_red_above_90_and_not_at_it', async () => {
    const disk = aHostDetail().disks[0];
    if (!disk) {
      throw new Error('the fixture has a disk');
    }
    open(
      '/hosts/h1?tab=storage',
      aHostDetail({
        disks: [
          { ...disk, percent_used: 90 },
          { ...disk, mount_point: '/var', percent_used: 90.1 },
        ],
      }),
    );
    const tone = (text: string) =>
      screen.getByText(text).closest('[data-tone]')?.getAttribute('data-tone');
    await screen.findByText('90.0%');
    expect(tone('90.0%')).toBe('warn');
    expect(tone('90.1%')).toBe('bad');
  });

  it('Spec: hosts 26: network_lists_interfaces', async () => {
    open('/hosts/h1?tab=network');
    expect(await tableRows('Network interfaces')).toEqual([
      ['eth0', '52:54:00:00:00:01', '192.0.2.10', 'Up'],
      ['eth1', '52:54:00:00:00:02', '–', 'Down'],
    ]);
  });
});

describe('live', () => {
  it('Spec: hosts 28: an_update_moves_vitals_status_and_chart', async () => {
    open();
    const cpu = await screen.findByRole('region', { name: 'CPU' });
    await waitFor(() => expect(cpu).toHaveTextContent('max 20.0%'));
    const stream = FakeEventSource.latest('/hosts/h1/events');
    stream.accept();
    stream.emit('host.updated', update({ status: 'offline' }));
    expect(await within(cpu).findByText('77.7%')).toBeVisible();
    expect(cpu).toHaveTextContent('max 77.7%');
    expect(screen.getByRole('heading', { level: 1 })).toHaveTextContent('Offline');
  });

  it('Spec: hosts 28: a_deleted_host_is_announced_and_the_stream_is_left', async () => {
    open();
    await screen.findByRole('region', { name: 'CPU' });
    const stream = FakeEventSource.latest('/hosts/h1/events');
    stream.accept();
    stream.emit('host.deleted', { id: 'h1' });
    expect(await screen.findByText(/This host was removed/)).toBeVisible();
    expect(stream.readyState).toBe(FakeEventSource.CLOSED);
  });

  it('Spec: hosts 28: a_reset_reads_the_host_and_its_samples_again', async () => {
    const { api } = open();
    await screen.findByRole('region', { name: 'CPU' });
    const stream = FakeEventSource.latest('/hosts/h1/events');
    stream.accept();
    stream.emit('reset', {});
    await waitFor(() => expect(api.to('GET /hosts/{id}/samples')).toHaveLength(2));
    expect(api.to('GET /hosts/{id}')).toHaveLength(2);
  });

  it('an_old_or_repeated_sample_changes_nothing', () => {
    expect(withSample(SAMPLES, update({ recorded_at: ago(45) }))).toBe(SAMPLES);
    expect(withSample(SAMPLES, update({ recorded_at: null }))).toBe(SAMPLES);
  });

  it('samples_that_left_the_hour_are_dropped', () => {
    const old = { at: ago(3_700), cpu_percent: 1, memory_percent: 1, disk_percent: 1 };
    const list = withSample({ items: [old, ...SAMPLES.items] }, update());
    expect(list.items).toHaveLength(3);
    expect(list.items[0]).toBe(SAMPLES.items[0]);
  });
});

describe('not there', () => {
  it('an_unknown_host_is_said_to_be_missing', async () => {
    renderApp('/hosts/nope');
    expect(await screen.findByText('This host does not exist')).toBeVisible();
  });
});
