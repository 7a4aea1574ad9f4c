package abi_test

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readGo reads the package as the compiler sees it, so that nothing in it can
// be forgotten: every exported structure and constant.
func readGo(t *testing.T) contract {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	sizes := types.SizesFor("gc", "amd64")
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil), Sizes: sizes}
	pkg, err := conf.Check("apkern/abi", fset, parsed, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := contract{map[string]layout{}, map[string]string{}}
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			if o.Exported() {
				c.constants[name] = goValue(o.Val())
			}
		case *types.TypeName:
			s, ok := o.Type().Underlying().(*types.Struct)
			if ok && o.Exported() && name != "Counter" {
				c.structs[name] = goLayout(t, name, s, sizes)
			}
		}
	}
	return c
}

// goValue writes a constant as readC does: texts quoted, numbers as the 64 bits
// that C has.
func goValue(v constant.Value) string {
	if v.Kind() == constant.String {
		return v.ExactString()
	}
	if n, exact := constant.Int64Val(v); exact {
		return fmt.Sprintf("%#x", uint64(n))
	}
	n, _ := constant.Uint64Val(v)
	return fmt.Sprintf("%#x", n)
}

// goLayout also insists on structs.HostLayout: without it the compiler may lay
// the structure out as it likes.
func goLayout(t *testing.T, name string, s *types.Struct, sizes types.Sizes) layout {
	t.Helper()
	var all []*types.Var
	host := false
	for f := range s.Fields() {
		all = append(all, f)
		host = host || f.Type().String() == "structs.HostLayout"
	}
	if !host {
		t.Errorf("%s has no structs.HostLayout", name)
	}
	l := layout{size: sizes.Sizeof(s)}
	for i, offset := range sizes.Offsetsof(all) {
		if all[i].Exported() {
			l.fields = append(l.fields, field{all[i].Name(), offset, sizes.Sizeof(all[i].Type())})
		}
	}
	return l
}

// ourMacro matches the constants in gcc -dM's list: with our prefix, without
// parameters, with a value.
var ourMacro = regexp.MustCompile(`(?m)^#define (APK(?:ERN)?_\w+) (.+)$`)

// readC compiles the headers in dir and reads structures and enumerators from
// the debugging information. Macros become enumerators on the way.
func readC(t *testing.T, dir string) contract {
	t.Helper()
	c := contract{map[string]layout{}, map[string]string{}}
	source := `#include "handover.h"` + "\n" + `#include "apkern.h"` + "\n"
	file := filepath.Join(t.TempDir(), "contract.c")
	write := func() {
		if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write()
	for _, m := range ourMacro.FindAllStringSubmatch(string(run(t, "gcc", "-I", dir, "-E", "-dM", file)), -1) {
		if strings.HasPrefix(m[2], `"`) {
			c.constants[m[1]] = m[2]
			continue
		}
		source += fmt.Sprintf("enum { macro_%s = %s };\n", m[1], m[1])
	}
	write()
	object := strings.TrimSuffix(file, ".c") + ".o"
	run(t, "gcc", "-Wall", "-Wno-pedantic", "-I", dir, "-g", "-fno-eliminate-unused-debug-types", "-c", "-o", object, file)
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	readDWARF(t, d, &c)
	return c
}

func readDWARF(t *testing.T, d *dwarf.Data, c *contract) {
	t.Helper()
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return
		}
		if e.Tag != dwarf.TagStructType && e.Tag != dwarf.TagEnumerationType {
			continue
		}
		typ, err := d.Type(e.Offset)
		if err != nil {
			t.Fatal(err)
		}
		switch typ := typ.(type) {
		case *dwarf.StructType:
			if strings.HasPrefix(typ.StructName, "apk") {
				c.structs[typ.StructName] = cLayout(typ)
			}
		case *dwarf.EnumType:
			for _, v := range typ.Val {
				name := strings.TrimPrefix(v.Name, "macro_")
				if strings.HasPrefix(name, "APK") {
					c.constants[name] = fmt.Sprintf("%#x", uint64(v.Val))
				}
			}
		}
	}
}

// cLayout leaves out padding and flexible arrays.
func cLayout(s *dwarf.StructType) layout {
	l := layout{size: s.ByteSize}
	for _, f := range s.Field {
		if strings.HasPrefix(f.Name, "pad") || f.Type.Size() <= 0 {
			continue
		}
		l.fields = append(l.fields, field{f.Name, f.ByteOffset, f.Type.Size()})
	}
	return l
}
