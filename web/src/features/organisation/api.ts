import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { api, segment } from '@/api/client';
import type {
  ListOf,
  NewOrganisationRequest,
  Organisation,
  OrganisationPatchRequest,
} from '@/api/schema';
import { useMe } from '@/api/session';

const KEY = 'organisations';

/** Organisations the signed-in person belongs to. */
export function useOrganisations() {
  return useQuery({
    queryKey: [KEY],
    queryFn: ({ signal }) => api.get<ListOf<Organisation>>('/organisations', undefined, signal),
    staleTime: 60_000,
  });
}

export function useOrganisation(enabled: boolean) {
  const id = useMe()?.organisation.id ?? '';
  return useQuery({
    queryKey: [KEY, id],
    queryFn: ({ signal }) =>
      api.get<Organisation>(`/organisations/${segment(id)}`, undefined, signal),
    enabled: enabled && id !== '',
  });
}

export function useSaveOrganisation(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (patch: OrganisationPatchRequest) =>
      api.patch<Organisation>(`/organisations/${segment(id)}`, patch),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [KEY] }),
        client.invalidateQueries({ queryKey: ['me'] }),
      ]),
  });
}

export function useCreateOrganisation() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: NewOrganisationRequest) =>
      api.post<Organisation>('/organisations', request),
    onSuccess: () => client.invalidateQueries({ queryKey: [KEY] }),
  });
}

export function useDeleteOrganisation(id: string) {
  const client = useQueryClient();
  const router = useRouter();
  return useMutation({
    mutationFn: (name: string) =>
      api.delete(`/organisations/${segment(id)}?name=${encodeURIComponent(name)}`),
    onSuccess: () => {
      // The session ended with the organisation.
      client.clear();
      return router.invalidate();
    },
  });
}

/** Those deleted in the last 30 days of which the signed-in person is super admin. */
export function useDeletedOrganisations() {
  return useQuery({
    queryKey: [KEY, 'deleted'],
    queryFn: ({ signal }) =>
      api.get<ListOf<Organisation>>('/organisations', { deleted: true }, signal),
  });
}

export function useRestoreOrganisation() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.post<Organisation>(`/organisations/${segment(id)}/restore`, {}),
    onSuccess: () => client.invalidateQueries({ queryKey: [KEY] }),
  });
}

/** Goes to another organisation: nothing that was read in this one may stay. */
export function useSwitchOrganisation() {
  const client = useQueryClient();
  const router = useRouter();
  return useMutation({
    mutationFn: (id: string) => api.post<void>('/me/organisation', { organisation_id: id }),
    onSuccess: async () => {
      client.clear();
      await router.navigate({ to: '/hosts', search: {} });
      await router.invalidate();
    },
  });
}
