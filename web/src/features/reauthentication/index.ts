export { ReauthenticationDialog } from './ReauthenticationDialog';
export { useStepUp } from './useStepUp';
