//go:build !unix

package app

import (
	"io/fs"
	"os"
)

// sameOwner: a file is its folder's here.
func sameOwner(*os.File, fs.FileInfo) error { return nil }
