package main

import "encoding/json"

// An entry is what the search finds: a heading of a document.
type entry struct {
	Page string `json:"page"` // its title
	Text string `json:"text"`
	Path string `json:"path"` // from the site's root
}

// index is the list of entries, as a script: pages of a folder can't load anything else.
func (s *Site) index() []byte {
	var list []entry
	for _, g := range s.groups {
		for _, p := range g.Pages {
			for _, h := range p.Headings {
				to := p.Path
				if h.Level > 1 {
					to += fragment(h.ID)
				}
				list = append(list, entry{p.Title, h.Text, to})
			}
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings only
	}
	return append(append([]byte("const entries = "), data...), ";\n"...)
}
