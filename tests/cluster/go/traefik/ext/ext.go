// Package ext holds what others may add to Traefik's configuration. Nobody adds anything here; Traefik's own module has it in a folder that its zip leaves out.
package ext

// HTTP would be further fields of the HTTP configuration.
type HTTP struct{}

// Router would be further fields of a router.
type Router struct{}
