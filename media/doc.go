// Package media moves files between platforms and users' clients by way of the disk: it fetches what clients uploaded
// without ever calling a private address, hashes and recognises what passes, and publishes what platforms send.
//
//	a platform's stream --Spool--> spool/ --Publish--> an upload slot of the server (XEP-0363), or store/, served under /m/
//	a client's URL      --Fetch--> spool/ --Open-----> the adapter's upload
//
// A file has 32 KiB of memory at a time. Images are decoded one at a time and only when their header announces little enough.
// Whoever is slow, lies about a length or sends without end is cut off, and nothing of the file stays on the disk.
package media
