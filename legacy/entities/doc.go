// Package entities reads entities of the contract in legacy for those who are told of changes: each in a snapshot that
// contains the change. It is a mirror.Entities.
package entities
