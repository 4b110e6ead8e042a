// Package soak judges whether a process that works for a long time stays as it is: it keeps samples of what it uses, says which of
// them grow, and writes them as a table and as a picture. It is pure; what takes the samples is a test of package chaos (make soak).
package soak
