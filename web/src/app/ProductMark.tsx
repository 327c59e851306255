import classes from './ProductMark.module.css';

export function ProductMark() {
  return (
    <span className={classes.mark}>
      <img src="/favicon.svg" alt="" width={24} height={24} />
      CT-Ops
    </span>
  );
}
