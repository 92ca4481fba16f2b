# What no chart of ours may contain. `input.object` is one object of a release.
package charts

object := input.object

# --- pods, wherever a workload has them -------------------------------------------------------------------------------

pod := object.spec if object.kind == "Pod"

pod := object.spec.template.spec if object.kind in {"Deployment", "StatefulSet", "DaemonSet", "Job"}

pod := object.spec.jobTemplate.spec.template.spec if object.kind == "CronJob"

containers contains container if some container in pod.containers

containers contains container if some container in pod.initContainers

staying contains container if {
	object.kind in {"Deployment", "StatefulSet", "DaemonSet"}
	some container in pod.containers
}

staying contains container if {
	some container in pod.initContainers
	container.restartPolicy == "Always"
}

# The one that leads traffic to Envoy; it has ended before anything else starts.
leads(container) if container.name == "sidegate-redirect"

secure(container, key, value) if container.securityContext[key] == value

secure(container, key, value) if {
	not has(container, key)
	pod.securityContext[key] == value
}

has(container, key) if _ := container.securityContext[key]

deny contains sprintf("%s may run as root", [container.name]) if {
	some container in containers
	not leads(container)
	not secure(container, "runAsNonRoot", true)
}

deny contains sprintf("%s runs as root", [container.name]) if {
	some container in containers
	not leads(container)
	secure(container, "runAsUser", 0)
}

deny contains sprintf("%s has no seccomp profile", [container.name]) if {
	some container in containers
	not secure(container, "seccompProfile", {"type": "RuntimeDefault"})
}

deny contains sprintf("%s can write to its image", [container.name]) if {
	some container in containers
	not container.securityContext.readOnlyRootFilesystem == true
}

deny contains sprintf("%s may gain privileges", [container.name]) if {
	some container in containers
	not container.securityContext.allowPrivilegeEscalation == false
}

deny contains sprintf("%s is privileged", [container.name]) if {
	some container in containers
	container.securityContext.privileged == true
}

deny contains sprintf("%s keeps capabilities", [container.name]) if {
	some container in containers
	not drops_all(container)
}

drops_all(container) if container.securityContext.capabilities.drop == ["ALL"]

deny contains sprintf("%s has the capability %s", [container.name, capability]) if {
	some container in containers
	some capability in container.securityContext.capabilities.add
	not permitted(container, capability)
}

permitted(container, capability) if {
	leads(container)
	capability in {"NET_ADMIN", "NET_RAW"}
}

deny contains sprintf("%s has no %s of %s", [container.name, kind, resource]) if {
	some container in containers
	some kind in ["requests", "limits"]
	some resource in ["cpu", "memory"]
	not container.resources[kind][resource]
}

deny contains sprintf("%s has an image of no fixed version", [container.name]) if {
	some container in containers
	not fixed(container.image)
}

fixed(image) if {
	regex.match(`(:[^:/]+|@sha256:[0-9a-f]{64})$`, image)
	not endswith(image, ":latest")
}

deny contains sprintf("%s is never asked whether it is ready", [container.name]) if {
	some container in staying
	not container.readinessProbe
}

deny contains sprintf("%s has %s in the manifest", [container.name, variable.name]) if {
	some container in containers
	some variable in container.env
	variable.value # not one of a Secret
	not startswith(variable.value, "/") # a path of a mounted Secret
	regex.match(`password|secret|token|_key`, lower(variable.name))
}

deny contains "the pod gets a token that nothing needs" if {
	pod.containers
	not pod.automountServiceAccountToken == false
	not pod.serviceAccountName
}

deny contains sprintf("the pod shares %s with its node", [key]) if {
	some key in ["hostNetwork", "hostPID", "hostIPC"]
	pod[key] == true
}

deny contains sprintf("the volume %s is a folder of the node", [volume.name]) if {
	some volume in pod.volumes
	volume.hostPath
}

deny contains "replicas may all be on one node" if {
	object.kind == "Deployment"
	object.metadata.labels["app.kubernetes.io/part-of"] == "sidegate"
	not pod.topologySpreadConstraints
}

# --- who may what -----------------------------------------------------------------------------------------------------

rules contains rule if {
	object.kind in {"Role", "ClusterRole"}
	some rule in object.rules
}

deny contains sprintf("%s may %s", [object.metadata.name, verb]) if {
	some rule in rules
	some verb in rule.verbs
	not verb in {"list", "watch"}
}

deny contains sprintf("%s may see %s", [object.metadata.name, resource]) if {
	some rule in rules
	some resource in rule.resources
	resource != "configmaps"
}

deny contains sprintf("%s binds %s", [object.metadata.name, object.roleRef.name]) if {
	object.kind in {"RoleBinding", "ClusterRoleBinding"}
	object.roleRef.name != object.metadata.name
}

deny contains sprintf("a Secret is in the manifests: %s", [object.metadata.name]) if object.kind == "Secret"
