// Package media moves files between platforms and users' clients by way of the disk: it fetches what clients uploaded
// without ever calling a private address, hashes and recognises what passes, and publishes what platforms send.
package media
