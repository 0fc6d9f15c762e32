package scenario

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

//go:embed shipped/*.json
var shipped embed.FS

// Names are the scenarios that come with the program.
func Names() []string {
	files, err := fs.ReadDir(shipped, "shipped")
	if err != nil {
		panic(err) // they are in the binary
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".json"))
	}
	return names
}

// Load finds a scenario by its name, or by the path of its file, which ends in .json.
func Load(name string) (*Scenario, error) {
	var p []byte
	var err error
	if strings.HasSuffix(name, ".json") {
		p, err = os.ReadFile(name)
	} else if p, err = shipped.ReadFile("shipped/" + name + ".json"); err != nil {
		return nil, fmt.Errorf("scenario: there is no %q; there are %s, and files that end in .json", name, strings.Join(Names(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return Parse(p)
}
