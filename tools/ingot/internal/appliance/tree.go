package appliance

import (
	"errors"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// position is a place in the file; both count from 1, the column in bytes.
type position struct{ line, column int }

// shape is what kind of value stands somewhere, by the name that TOML has for it.
type shape string

const (
	isString  shape = "a string"
	isInteger shape = "an integer"
	isFloat   shape = "a number with a fraction"
	isBool    shape = "true or false"
	isArray   shape = "an array"
	isTable   shape = "a table"
	isTime    shape = "a date or time"
)

// node is a value, and where it is.
type node struct {
	at    position
	shape shape
	text  string  // of a string what it says, of other scalars how it is written
	items []*node // of an array
	keys  []entry // of a table, in the file's order
}

// entry is a key of a table with its value.
type entry struct {
	name  string
	at    position
	value *node
}

func (n *node) get(name string) *entry {
	for i := range n.keys {
		if n.keys[i].name == name {
			return &n.keys[i]
		}
	}
	return nil
}

// table returns the table below a key, which it makes if it isn't there. An array of
// tables is its last.
func (n *node) table(name string, at position) *node {
	if e := n.get(name); e != nil {
		if v := e.value; v.shape == isArray && len(v.items) > 0 {
			return v.items[len(v.items)-1]
		}
		return e.value
	}
	t := &node{at: at, shape: isTable}
	n.keys = append(n.keys, entry{name, at, t})
	return t
}

// parse reads a TOML document. Only the first problem with its syntax is reported.
func parse(data []byte) (*node, *Problem) {
	// This also finds what is grammatical and still wrong, such as a key that is there
	// twice; but its result doesn't know lines.
	var all map[string]any
	if err := toml.Unmarshal(data, &all); err != nil {
		p := &Problem{Line: 1, Column: 1, What: err.Error(), Fix: "see https://toml.io for how TOML is written"}
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			p.Line, p.Column = e.Position()
			p.What = e.Error()
		}
		return nil, p
	}
	r := reader{data: data}
	r.parser.Reset(data)
	root := &node{at: position{1, 1}, shape: isTable}
	current := root
	for r.parser.NextExpression() {
		switch e := r.parser.Expression(); e.Kind {
		case unstable.KeyValue:
			r.assign(current, e)
		case unstable.Table, unstable.ArrayTable:
			current = root
			for it := e.Key(); it.Next(); {
				k := it.Node()
				at := r.at(k)
				if e.Kind == unstable.ArrayTable && it.IsLast() {
					if current.get(string(k.Data)) == nil {
						current.keys = append(current.keys, entry{string(k.Data), at, &node{at: at, shape: isArray}})
					}
					array := current.get(string(k.Data)).value
					array.items = append(array.items, &node{at: at, shape: isTable})
				}
				current = current.table(string(k.Data), at)
			}
		}
	}
	return root, nil
}

type reader struct {
	data   []byte
	parser unstable.Parser
}

func (r *reader) at(n *unstable.Node) position {
	start := r.parser.Shape(n.Raw).Start
	return position{start.Line, start.Column}
}

// assign reads "key = value".
func (r *reader) assign(table *node, e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		k := it.Node()
		if !it.IsLast() {
			table = table.table(string(k.Data), r.at(k))
			continue
		}
		// The parser doesn't say where an array is: behind the equals sign.
		behind := int(k.Raw.Offset + k.Raw.Length)
		for behind < len(r.data) && (r.data[behind] == ' ' || r.data[behind] == '\t' || r.data[behind] == '=') {
			behind++
		}
		start := r.parser.Shape(unstable.Range{Offset: uint32(behind)}).Start
		value := r.value(e.Value(), position{start.Line, start.Column})
		table.keys = append(table.keys, entry{string(k.Data), r.at(k), value})
	}
}

// value reads a value. around is where it is if the parser doesn't know.
func (r *reader) value(n *unstable.Node, around position) *node {
	v := &node{at: around, text: string(n.Data)}
	if n.Raw.Length > 0 {
		v.at = r.at(n)
	}
	switch n.Kind {
	case unstable.String:
		v.shape = isString
	case unstable.Integer:
		v.shape = isInteger
	case unstable.Float:
		v.shape = isFloat
	case unstable.Bool:
		v.shape = isBool
	case unstable.Array:
		v.shape = isArray
		for it := n.Children(); it.Next(); {
			v.items = append(v.items, r.value(it.Node(), v.at))
		}
	case unstable.InlineTable:
		v.shape = isTable
		for it := n.Children(); it.Next(); {
			r.assign(v, it.Node())
		}
	default:
		v.shape = isTime
	}
	return v
}
