import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.CT_OPS_URL ?? 'https://localhost:8443';

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2023',
    // The content security policy has no `data:` source for fonts and scripts, so nothing is inlined.
    assetsInlineLimit: 0,
  },
  server: {
    // The server checks the Origin of writes, so the proxy presents the server's own origin.
    proxy: {
      '/api': { target: server, changeOrigin: true, secure: false, headers: { origin: server } },
    },
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/testing/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    css: { modules: { classNameStrategy: 'non-scoped' } },
    restoreMocks: true,
    testTimeout: 20_000,
  },
});
