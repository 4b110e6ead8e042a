// Package packages_test holds what make package builds against the systems that it is for: a Debian with systemd, a container
// engine; and against itself, built once more.
package packages_test
