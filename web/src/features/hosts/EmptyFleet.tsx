import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';

/** Nothing was ever enrolled; the way on depends on what the viewer may do. */
export function EmptyFleet() {
  const mayEnrol = useCan('enrolment.manage');
  return (
    <Notice
      title="No hosts yet"
      action={
        mayEnrol && (
          <Button renderRoot={(props) => <Link to="/enrolment" {...props} />}>
            Go to enrolment
          </Button>
        )
      }
    >
      {mayEnrol
        ? 'Create an enrolment token and run its one-line command on a machine. The machine appears here.'
        : 'An administrator has to enrol machines. They appear here by themselves.'}
    </Notice>
  );
}
