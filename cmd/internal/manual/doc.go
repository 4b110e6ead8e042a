// Package manual writes the manual page and what shells complete from the command line's own description.
//
// Nothing is said twice: commands, flags and their help are those that kong parses by and prints for --help.
package manual
