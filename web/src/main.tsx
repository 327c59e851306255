import './app/fonts.css';
import '@mantine/core/styles.layer.css';
import '@mantine/notifications/styles.layer.css';
import './app/theme.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { start } from './app/start';

const styleNonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content;
// The scroll lock of dialogs adds a style element of its own and looks for the nonce here.
Object.assign(globalThis, { __webpack_nonce__: styleNonce });

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App running={start()} styleNonce={styleNonce} />
    </StrictMode>,
  );
}
