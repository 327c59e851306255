import { TriangleAlert } from 'lucide-react';
import type { Collision } from '@/api/schema';
import classes from './CollisionNote.module.css';
import { collisionText } from './words';

/** Says which existing host a waiting agent would take over or is blocked by. */
export function CollisionNote({ collision }: { collision: Collision }) {
  const { before, after } = collisionText(collision);
  return (
    <p className={classes.note}>
      <TriangleAlert size={15} aria-hidden="true" />
      <span>
        {before}
        <strong>
          <bdi>{collision.hostname}</bdi>
        </strong>
        {after}
      </span>
    </p>
  );
}
