{{- /*
All the operator may do in a namespace it looks after. No verb on Secrets: the kubelet mounts them into monitors and Jobs. No namespaces and no
CustomResourceDefinitions: nothing is discovered. A server-side apply is a patch, and a create where the object is not there yet.
*/}}
{{- define "retrainer.operatorRules" -}}
# What the user wants. Policies belong to their users: only the status is written.
- apiGroups: [retrainer.dev]
  resources: [modelretrainpolicies]
  verbs: [get, list, watch]
# Attempts: created by triggers, deleted beyond the history limit.
- apiGroups: [retrainer.dev]
  resources: [modelretrainruns]
  verbs: [get, list, watch, create, delete]
# Where decisions are remembered.
- apiGroups: [retrainer.dev]
  resources: [modelretrainpolicies/status, modelretrainruns/status]
  verbs: [patch]
# Validation and training; patched to let a finished Job expire, deleted when a run is aborted.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# The report of a policy that asks for one.
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch, create, patch, delete]
# Why a Job waits, what its container said at the end, which pods are ready and where a smoke test goes.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# A Deployment for each live version and one for each monitor; the one the policy names is only read.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# The Service whose selector is the traffic; the others are read, because one that selects the same pods would send a candidate requests.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# The routes of policies in gateway mode. Where the Gateway API is not installed these rules are about nothing.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# What their gateways can do, before requests are copied to a shadow: a gateway that cannot would answer none.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, gatewayclasses]
  verbs: [get]
# The monitor's own account, and its right to read policies and runs …
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, create, patch]
# … which is the one role the operator may hand out.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [retrainer-monitor]
  verbs: [bind]
# Whether the claim that holds the versions can be mounted by several pods.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# What people see in `kubectl describe`.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
