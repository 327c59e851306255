import type { ReactNode } from 'react';
import classes from './FieldList.module.css';

export interface Field {
  name: string;
  value: ReactNode;
}

/** Names and values, one below the other. */
export function FieldList({ fields }: { fields: readonly Field[] }) {
  return (
    <dl className={classes.list}>
      {fields.map((field) => (
        <div key={field.name} className={classes.field}>
          <dt>{field.name}</dt>
          <dd>{field.value}</dd>
        </div>
      ))}
    </dl>
  );
}
