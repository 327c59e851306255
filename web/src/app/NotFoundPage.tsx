import { Link } from '@tanstack/react-router';
import { Notice } from '@/ui/Notice';

export function NotFoundPage() {
  return (
    <main>
      <title>Not found · CT-Ops</title>
      <Notice title="This page does not exist" action={<Link to="/hosts">Go to hosts</Link>} />
    </main>
  );
}
