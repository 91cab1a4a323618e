package identity

import (
	"fmt"
	"io"
	"os"
)

const maxKeyFileBytes = 4096

// ReadKeyFile reads the file of a key, whose text is as ParseKey wants it. The warning is not empty when others than its
// owner and group can read the file, or its group can write it; the key can be used all the same. No error or warning
// shows anything of the content. It is the only function of the package that touches the world.
func ReadKeyFile(path string) (k Key, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, "", fmt.Errorf("identity key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Key{}, "", fmt.Errorf("identity key file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFileBytes+1))
	if err != nil {
		return Key{}, "", fmt.Errorf("identity key file: %w", err)
	}
	if len(text) > maxKeyFileBytes {
		return Key{}, "", fmt.Errorf("identity key file %s: more than %d bytes", path, maxKeyFileBytes)
	}
	if k, err = ParseKey(string(text)); err != nil {
		return Key{}, "", fmt.Errorf("%s: %w", path, err)
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o027 != 0 {
		warning = fmt.Sprintf("identity key file %s has mode %04o: others can read or change the key; use 0400 or 0440", path, mode.Perm())
	}
	return k, warning, nil
}
