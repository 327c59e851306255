import { afterEach, expect, it, vi } from 'vitest';
import { leaveTo } from './leave';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('leaves_for_own_paths_only', () => {
  const assign = vi.fn();
  vi.stubGlobal('location', { assign });
  const hostile = [
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    '',
  ];
  for (const path of ['/api/v1/auth/oidc/p1/logout', ...hostile]) {
    leaveTo(path);
  }
  const places = assign.mock.calls.map(([place]) => place);
  expect(places).toEqual(['/api/v1/auth/oidc/p1/logout', ...hostile.map(() => '/login')]);
});
