// The schema of a provider of Terraform, and nothing behind it: what `terraform validate` and `terraform test` with a mocked
// provider want of one. It serves what extract.py made, from the file schema.json beside the program.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type block struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]nested    `json:"blocks"`
}

type attribute struct {
	Type     json.RawMessage `json:"type"`
	Nested   *nested         `json:"nested"`
	Required bool            `json:"required"`
	Optional bool            `json:"optional"`
	Computed bool            `json:"computed"`
}

type nested struct {
	Nesting  string `json:"nesting"`
	Single   bool   `json:"single"`
	Required bool   `json:"required"`
	Block    block  `json:"block"`
}

type schema struct {
	Name      string           `json:"name"`
	Provider  block            `json:"provider"`
	Resources map[string]block `json:"resources"`
	Data      map[string]block `json:"data"`
}

func main() {
	program, err := os.Executable()
	exit(err)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(program), "schema.json"))
	exit(err)
	var known schema
	exit(json.Unmarshal(text, &known))
	provider := &provider{all: answer(known)}
	exit(tf6server.Serve("registry.terraform.io/hashicorp/"+known.Name, func() tfprotov6.ProviderServer { return provider }))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// provider answers what is asked before anything is planned. Whatever else it is asked ends it: nothing here can be planned
// without a mock.
type provider struct {
	tfprotov6.ProviderServer
	all *tfprotov6.GetProviderSchemaResponse
}

func answer(known schema) *tfprotov6.GetProviderSchemaResponse {
	all := &tfprotov6.GetProviderSchemaResponse{
		ServerCapabilities: &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: true},
		Provider:           &tfprotov6.Schema{Block: known.Provider.made()},
		ResourceSchemas:    map[string]*tfprotov6.Schema{},
		DataSourceSchemas:  map[string]*tfprotov6.Schema{},
	}
	for name, one := range known.Resources {
		all.ResourceSchemas[name] = &tfprotov6.Schema{Block: one.made()}
	}
	for name, one := range known.Data {
		all.DataSourceSchemas[name] = &tfprotov6.Schema{Block: one.made()}
	}
	return all
}

func (b block) made() *tfprotov6.SchemaBlock {
	made := &tfprotov6.SchemaBlock{Attributes: b.attributes()}
	for name, one := range b.Blocks {
		below := &tfprotov6.SchemaNestedBlock{TypeName: name, Block: one.Block.made()}
		switch one.Nesting {
		case "single":
			below.Nesting = tfprotov6.SchemaNestedBlockNestingModeSingle
		case "set":
			below.Nesting = tfprotov6.SchemaNestedBlockNestingModeSet
		default:
			below.Nesting = tfprotov6.SchemaNestedBlockNestingModeList
		}
		if one.Nesting != "single" {
			if one.Single {
				below.MaxItems = 1
			}
			if one.Required {
				below.MinItems = 1
			}
		}
		made.BlockTypes = append(made.BlockTypes, below)
	}
	return made
}

func (b block) attributes() []*tfprotov6.SchemaAttribute {
	var made []*tfprotov6.SchemaAttribute
	for name, one := range b.Attributes {
		attribute := &tfprotov6.SchemaAttribute{
			Name: name, Required: one.Required, Optional: one.Optional, Computed: one.Computed,
		}
		if one.Nested == nil {
			var err error
			//nolint:staticcheck // The one reader of this form that there is.
			attribute.Type, err = tftypes.ParseJSONType(one.Type)
			exit(err)
		} else {
			attribute.NestedType = one.Nested.object()
		}
		made = append(made, attribute)
	}
	return made
}

func (n nested) object() *tfprotov6.SchemaObject {
	object := &tfprotov6.SchemaObject{Attributes: n.Block.attributes(), Nesting: tfprotov6.SchemaObjectNestingModeList}
	for name, one := range n.Block.Blocks {
		object.Attributes = append(object.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Required: one.Required, Optional: !one.Required, NestedType: one.object(),
		})
	}
	switch n.Nesting {
	case "single":
		object.Nesting = tfprotov6.SchemaObjectNestingModeSingle
	case "set":
		object.Nesting = tfprotov6.SchemaObjectNestingModeSet
	case "map":
		object.Nesting = tfprotov6.SchemaObjectNestingModeMap
	}
	return object
}

func (p *provider) GetProviderSchema(
	context.Context, *tfprotov6.GetProviderSchemaRequest,
) (*tfprotov6.GetProviderSchemaResponse, error) {
	return p.all, nil
}

func (p *provider) ValidateProviderConfig(
	_ context.Context, r *tfprotov6.ValidateProviderConfigRequest,
) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ValidateResourceConfig(
	context.Context, *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (p *provider) ValidateDataResourceConfig(
	context.Context, *tfprotov6.ValidateDataResourceConfigRequest,
) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (p *provider) StopProvider(
	context.Context, *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}
