// Package terratest applies a stack to a real cloud, looks at what came of it, and destroys it again.
//
// It costs money and takes an hour, so a cloud is left out, with its reason, unless its account is named in the
// environment. Run one cloud with `make terratest CLOUD=gcp|aws|azure`, in an account of its own.
package terratest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/files"
	"github.com/gruntwork-io/terratest/modules/random"
	"github.com/gruntwork-io/terratest/modules/terraform"
)

// A destroy must not be cut off because the apply took all the time.
const destroyWithin = 90 * time.Minute

// stack is one root module with the values that differ from those of the environment dev.
type stack struct {
	name    string
	vars    map[string]any
	outputs []string
}

// required returns the value of an environment variable, or skips the test saying what to set.
func required(t *testing.T, variable, what string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf("no %s to test in: set %s, and sign in to that cloud", what, variable)
	}
	return value
}

// uniqueName is short enough for every cloud's limits, and nobody else's.
func uniqueName() string {
	return "swt-" + strings.ToLower(random.UniqueID())
}

// applied applies the stack twice (the second time must change nothing), checks its outputs, and destroys it.
func applied(t *testing.T, tested stack) {
	t.Helper()
	// Not t.TempDir(): if the destroy fails, the state has to outlive the test.
	home, err := os.MkdirTemp("", "slipway-terratest-")
	if err != nil {
		t.Fatal(err)
	}
	options := prepared(t, home, tested)
	// Registered before the apply: what a failed apply has made is destroyed too.
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), destroyWithin)
		defer cancel()
		if _, err := terraform.DestroyContextE(t, ctx, options); err != nil {
			t.Fatalf("NOT everything was destroyed; its state is in %s: %v", options.TerraformDir, err)
		}
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	terraform.InitAndApplyAndIdempotentContext(t, t.Context(), options)
	for _, output := range tested.outputs {
		if terraform.OutputRequiredContext(t, t.Context(), options, output) == "" {
			t.Errorf("output %s is empty", output)
		}
	}
}

// prepared copies terraform/ and the chart into the folder home, and gives the stack a local state in the copy.
func prepared(t *testing.T, home string, tested stack) *terraform.Options {
	t.Helper()
	for _, folder := range []string{"terraform/modules", "terraform/stacks", "terraform/envs", "charts"} {
		source := filepath.Join("..", "..", folder)
		target := filepath.Join(home, folder)
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := files.CopyFolderContents(source, target); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(home, "terraform", "stacks", tested.name)
	override := []byte("terraform {\n  backend \"local\" {}\n}\n")
	if err := os.WriteFile(filepath.Join(path, "backend_override.tf"), override, 0o600); err != nil {
		t.Fatal(err)
	}
	return &terraform.Options{
		TerraformDir: path,
		VarFiles:     []string{filepath.Join(home, "terraform", "envs", "dev", tested.name+".tfvars")},
		Vars:         tested.vars,
		NoColor:      true,
	}
}
