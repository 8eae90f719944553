// Package app is the one place where everything is wired: a config, a contract and SQL become a Project, and a Project
// runs as an App with its listeners, limits and telemetry. Programs and tests share it.
//
// It owns the order in which things start and stop, and nothing of what they do.
package app
