import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';

/** Nothing was ever enrolled; the way on depends on what the viewer may do. */
export function EmptyFleet() {
  const mayEnrol = useCan('enrolment.manage');
  return (
    <Panel title="No hosts yet">
      <Notice
        title="Enrol the first machine"
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
    </Panel>
  );
}
