package jsonmsg

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
)

// secret is what a server keeps of its password: the hash of its canonical text,
// or that there is none.
type secret struct {
	set bool
	sum [sha256.Size]byte
}

// newSecret makes the secret of a password; nil means none.
func newSecret(password any) (secret, error) {
	if password == nil {
		return secret{}, nil
	}
	text, err := json.Marshal(password)
	if err != nil {
		return secret{}, err
	}
	text, err = canonical(text)
	if err != nil {
		return secret{}, err
	}
	if bytes.ContainsRune(text, '\uFFFD') {
		// All that isn't Unicode is read as U+FFFD, which would make many texts equal.
		return secret{}, errors.New("it has U+FFFD, or bytes that aren't UTF-8; use other characters, or base64")
	}
	return secret{true, sha256.Sum256(text)}, nil
}

// matches compares a client's password, the JSON text it sent, or nil if there was
// none. The time that takes depends on the client's text, not on the secret.
func (s *secret) matches(text []byte) bool {
	if text == nil {
		return !s.set
	}
	text, err := canonical(text)
	if err != nil {
		text = nil // which is no password's canonical text
	}
	sum := sha256.Sum256(text)
	return subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1 && s.set
}

// canonical gives equal values equal texts: members are sorted, numbers are
// float64s as in JavaScript, 1.0 being 1 and -0 being 0, strings lose needless escapes.
func canonical(text []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("not a JSON value: %w", err)
	}
	return json.Marshal(positiveZero(v))
}

func positiveZero(v any) any {
	switch v := v.(type) {
	case float64:
		return v + 0 // -0 + 0 is 0
	case []any:
		for i := range v {
			v[i] = positiveZero(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = positiveZero(v[k])
		}
	}
	return v
}
