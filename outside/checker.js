/** What TypeScript's checker knows of a symbol and TypeDoc's model does not show: call signatures with type arguments filled in. */
import ts from "typescript";

const FLAGS = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;
const { SymbolFlags, TypeFlags } = ts;

const declarationOf = (symbol) => symbol.valueDeclaration ?? symbol.declarations[0];
const hasDoc = (declaration) => ts.getJSDocCommentsAndTags(declaration).length > 0;
const isOptional = ({ valueDeclaration }) => Boolean(valueDeclaration?.questionToken ?? valueDeclaration?.initializer);
const sourceOf = (symbol) =>
  declarationOf(symbol)
    .getText()
    .replace(/^export /, "");

export function createReader(checker) {
  const text = (type) =>
    checker
      .typeToString(type, undefined, FLAGS)
      .replaceAll("<ArrayBufferLike>", "")
      .replaceAll("; }", " }")
      .replace(/(\?: [^;{}()]*) \| undefined/g, "$1");

  const docOf = (symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker));

  function typeOf(symbol) {
    const type = checker.getTypeOfSymbol(symbol);
    return isOptional(symbol) ? checker.getNonNullableType(type) : type;
  }

  /** Adds the symbols of the names that a type is written with, those in aliases included. */
  function collect(type, symbols, seen = new Set()) {
    if (seen.has(type)) return;
    seen.add(type);
    const { aliasSymbol, symbol } = type;
    const inside = [...(type.aliasTypeArguments ?? []), ...(type.isUnionOrIntersection() ? type.types : [])];
    if (type.flags & TypeFlags.Object) inside.push(...checker.getTypeArguments(type));
    if (aliasSymbol) {
      symbols.add(aliasSymbol);
      inside.push(checker.getDeclaredTypeOfSymbol(aliasSymbol));
    } else if (symbol?.flags & SymbolFlags.TypeLiteral) {
      inside.push(...type.getProperties().map((property) => checker.getTypeOfSymbol(property)));
    } else if (symbol?.flags & (SymbolFlags.Interface | SymbolFlags.Class)) symbols.add(symbol);
    for (const each of inside) collect(each, symbols, seen);
  }

  /** As text; names are those of the docstring: overloads that many functions share have others. */
  function signature(found, names) {
    const generics = (found.getTypeParameters() ?? []).map((type) => {
      const constraint = type.getConstraint();
      return constraint ? `${text(type)} extends ${text(constraint)}` : text(type);
    });
    const parameters = found.getParameters().map((symbol, n) => {
      return `${names[n] ?? symbol.name}${isOptional(symbol) ? "?" : ""}: ${text(typeOf(symbol))}`;
    });
    return {
      generics: generics.length > 0 ? `<${generics.join(", ")}>` : "",
      parameters,
      returns: text(found.getReturnType()),
    };
  }

  /** What can stand in the argument `options` of the signatures, as the sources declare it. */
  function optionsOf(signatures) {
    const types = signatures.flatMap((found) => found.getParameters().filter(({ name }) => name === "options"));
    const options = new Map();
    for (const type of types.map(typeOf).flatMap((type) => (type.isUnion() ? type.types : [type]))) {
      for (const symbol of type.getProperties()) {
        const declaration = symbol.declarations.find(hasDoc) ?? symbol.declarations[0];
        if (options.has(symbol.name) && !hasDoc(declaration)) continue;
        // an interface of one property may say it all above
        const { members, name } = declaration.parent;
        const above = members?.length === 1 && name ? docOf(checker.getSymbolAtLocation(name)) : "";
        options.set(symbol.name, {
          name: symbol.name,
          isOptional: isOptional(symbol),
          type: declaration.type.getText(),
          text: docOf(symbol) || above,
        });
      }
    }
    return [...options.values()];
  }

  return {
    /** The types that `@throws {…}` names, in order; TypeDoc drops them. */
    errorsOf: (symbol) =>
      ts
        .getJSDocTags(declarationOf(symbol))
        .filter(ts.isJSDocThrowsTag)
        .map((tag) => tag.typeExpression?.type.getText()),

    /** Signatures of what is called or constructed, the options, the type, and the symbols that these name. */
    read(symbol, names) {
      const type = checker.getTypeOfSymbol(symbol);
      const constructors = type.getConstructSignatures();
      const found = constructors.length > 0 ? constructors : type.getCallSignatures();
      const named = new Set();
      for (const each of found) {
        for (const parameter of each.getParameters()) collect(typeOf(parameter), named);
        for (const { constraint } of each.getTypeParameters() ?? []) if (constraint) collect(constraint, named);
        collect(each.getReturnType(), named);
      }
      return {
        symbol,
        signatures: found.map((each) => signature(each, names)),
        options: optionsOf(found),
        type: text(typeOf(symbol)),
        source: sourceOf(symbol),
        named,
      };
    },

    /** Types of this package that these name and that no entry point exports. */
    hidden(exported, known) {
      const named = exported.flatMap((each) => [each, ...each.members]).flatMap((each) => [...each.named]);
      return [...new Set(named)]
        .filter(
          (symbol) => !known.has(symbol) && declarationOf(symbol).getSourceFile().fileName.includes("/napier/src/"),
        )
        .map((symbol) => ({ symbol, name: symbol.name, summary: docOf(symbol), source: sourceOf(symbol) }));
    },
  };
}
