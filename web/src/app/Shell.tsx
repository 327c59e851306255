import { Burger, Drawer } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { LicenceBanner } from '@/features/licence/LicenceBanner';
import { AreaFrame } from './AreaFrame';
import { areaOf } from './areas';
import { Navigation } from './Navigation';
import { ProductMark } from './ProductMark';
import classes from './Shell.module.css';

/** Frame of every page behind sign-in: navigation at the left, on a phone in a drawer. */
export function Shell() {
  const [opened, drawer] = useDisclosure(false);
  const main = useFocusOnNavigation();
  const area = useRouterState({ select: (state) => areaOf(state.location.pathname) });
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#main">
        Skip to content
      </a>
      <header className={classes.bar}>
        <Burger opened={opened} onClick={drawer.open} size="sm" aria-label="Open navigation" />
        <ProductMark />
      </header>
      <aside className={classes.side}>
        <ProductMark />
        <Navigation />
      </aside>
      <Drawer
        opened={opened}
        onClose={drawer.close}
        size={268}
        title={<ProductMark />}
        closeButtonProps={{ 'aria-label': 'Close navigation' }}
      >
        <Navigation onNavigate={drawer.close} />
      </Drawer>
      <main id="main" ref={main} tabIndex={-1} className={classes.main}>
        <LicenceBanner />
        {area ? (
          <AreaFrame key={area.root} area={area}>
            <Outlet />
          </AreaFrame>
        ) : (
          <Outlet />
        )}
      </main>
    </div>
  );
}

/** After a change of page the focus is on its content, as if the browser had loaded it. */
function useFocusOnNavigation() {
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const shownPath = useRef(pathname);
  useEffect(() => {
    if (shownPath.current !== pathname) {
      shownPath.current = pathname;
      main.current?.focus({ preventScroll: true });
    }
  }, [pathname]);
  return main;
}
