import { act } from '@testing-library/react';

/** An event source whose other end is the test. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static readonly opened: FakeEventSource[] = [];

  readonly url: string;
  readyState: number = FakeEventSource.CONNECTING;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(url: string) {
    super();
    this.url = url;
    FakeEventSource.opened.push(this);
  }

  /** The newest stream of this address that the page has not closed. */
  static latest(part: string): FakeEventSource {
    const found = FakeEventSource.opened.findLast(
      (source) => source.url.includes(part) && source.readyState !== FakeEventSource.CLOSED,
    );
    if (!found) {
      throw new Error(`no open event stream to ${part}`);
    }
    return found;
  }

  accept(): void {
    act(() => {
      this.readyState = FakeEventSource.OPEN;
      this.onopen?.();
    });
  }

  emit(name: string, data: unknown): void {
    act(() => {
      this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
    });
  }

  /** The connection is lost; the browser tries again by itself. */
  drop(): void {
    act(() => {
      this.readyState = FakeEventSource.CONNECTING;
      this.onerror?.();
    });
  }

  /** The server refuses; the browser gives up. */
  refuse(): void {
    act(() => {
      this.readyState = FakeEventSource.CLOSED;
      this.onerror?.();
    });
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED;
  }
}
