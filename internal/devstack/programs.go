package devstack

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// MissingError says that a server program is not installed.
type MissingError struct {
	Program string // name of the program that was looked for
}

// Error says what is missing and how to install it.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: run `make deps` or `apt-get install -y mariadb-server rabbitmq-server`", e.Program)
}

// program finds an executable by name in PATH and then in the places given as
// file name patterns: servers are often installed where only root's PATH leads.
func program(name string, places ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return programIn(name, places...)
}

// programIn finds an executable only in the places given as file name patterns.
func programIn(name string, places ...string) (string, error) {
	for _, place := range places {
		matches, err := filepath.Glob(filepath.Join(place, name))
		if err != nil {
			return "", fmt.Errorf("look for %s in %s: %w", name, place, err)
		}
		for _, match := range matches {
			if path, err := exec.LookPath(match); err == nil {
				return path, nil
			}
		}
	}
	return "", &MissingError{Program: name}
}

// serverPlaces are directories where packages put programs of servers.
func serverPlaces() []string {
	return []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec", "/opt/homebrew/bin", "/usr/local/mysql/bin", "/usr/local/mariadb/bin"}
}
