package tlsio

import "fmt"

// What holds secrets prints without them, whatever the verb: options end up in logs.

const hidden = "(secret)"

// secrets stands for slices of secrets when they are printed.
func secrets(of [][]byte) [][]byte {
	if of == nil {
		return nil
	}
	return [][]byte{[]byte(hidden)}
}

func secret(of []byte) []byte {
	if of == nil {
		return nil
	}
	return []byte(hidden)
}

// Format implements fmt.Formatter: the options without keys and session.
func (o TLSOptions) Format(f fmt.State, verb rune) {
	type plain TLSOptions
	o.ServerKey, o.ClientKey, o.Session = secrets(o.ServerKey), secrets(o.ClientKey), secret(o.Session)
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
}

// Format implements fmt.Formatter: the options without the session.
func (o SecureOptions) Format(f fmt.State, verb rune) {
	type plain SecureOptions
	o.Session, o.session = secret(o.Session), nil
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
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
