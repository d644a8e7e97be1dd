package tlsio

import "fmt"

// These print without the keys in them, whatever the verb, because options end up in
// logs. TLSOptions and SecureOptions don't: it would cost every program 8 KB.

const hidden = "(secret)"

// secrets stands for slices of secrets when they are printed.
func secrets(of [][]byte) [][]byte {
	if of == nil {
		return nil
	}
	return [][]byte{[]byte(hidden)}
}

// Format implements fmt.Formatter: the Identity without its keys.
func (id Identity) Format(f fmt.State, verb rune) {
	type plain Identity
	id.Key = secrets(id.Key)
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(id))
}

// MarshalText keeps keys out of JSON.
func (id Identity) MarshalText() ([]byte, error) { return fmt.Append(nil, id), nil }

// Format implements fmt.Formatter: how many keys there are.
func (k TicketKeys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%d ticket keys %s", len(k), hidden) }

// MarshalText keeps keys out of JSON.
func (k TicketKeys) MarshalText() ([]byte, error) { return fmt.Append(nil, k), nil }
