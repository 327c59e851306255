import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, segment } from '@/api/client';
import type { EgressMode, EgressPolicy, EgressTarget } from '@/api/egress';

const KEY = ['egress'];
const PATH = '/settings/egress';

export function useEgressPolicy(enabled: boolean) {
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => api.get<EgressPolicy>(PATH, undefined, signal),
    enabled,
  });
}

function useChange<Input>(work: (input: Input) => Promise<EgressPolicy>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: work,
    onSuccess: (policy) => client.setQueryData(KEY, policy),
  });
}

export function useAddTarget() {
  return useChange((target: EgressTarget) => api.post<EgressPolicy>(`${PATH}/targets`, target));
}

export function useRemoveTarget() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (target: string) => api.delete(`${PATH}/targets/${segment(target)}`),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
}

export function useSetMode() {
  return useChange(async (mode: EgressMode) => {
    // The entries are read just before, because somebody else may have changed them meanwhile.
    const { targets } = await api.get<EgressPolicy>(PATH);
    return api.put<EgressPolicy>(PATH, { mode, targets });
  });
}
