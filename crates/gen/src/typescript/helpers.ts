type Schemas = Omit<Database, "__InternalSupabase">

type DefaultSchema = Schemas["public"]

type InSchema = { schema: keyof Schemas }

type Relations<Schema extends keyof Schemas> = Schemas[Schema]["Tables"] &
  Schemas[Schema]["Views"]

/** A row as it is read: `Tables<"name">`, or `Tables<{ schema: "other" }, "name">`. */
export type Tables<
  NameOrSchema extends keyof Relations<"public"> | InSchema,
  Name extends (NameOrSchema extends InSchema
    ? keyof Relations<NameOrSchema["schema"]>
    : never) = never,
> = NameOrSchema extends InSchema
  ? Relations<NameOrSchema["schema"]>[Name] extends { Row: infer Row }
    ? Row
    : never
  : NameOrSchema extends keyof Relations<"public">
    ? Relations<"public">[NameOrSchema] extends { Row: infer Row }
      ? Row
      : never
    : never

/** What an insert takes. */
export type TablesInsert<
  NameOrSchema extends keyof DefaultSchema["Tables"] | InSchema,
  Name extends (NameOrSchema extends InSchema
    ? keyof Schemas[NameOrSchema["schema"]]["Tables"]
    : never) = never,
> = NameOrSchema extends InSchema
  ? Schemas[NameOrSchema["schema"]]["Tables"][Name] extends {
      Insert: infer Insert
    }
    ? Insert
    : never
  : NameOrSchema extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][NameOrSchema] extends { Insert: infer Insert }
      ? Insert
      : never
    : never

/** What an update takes. */
export type TablesUpdate<
  NameOrSchema extends keyof DefaultSchema["Tables"] | InSchema,
  Name extends (NameOrSchema extends InSchema
    ? keyof Schemas[NameOrSchema["schema"]]["Tables"]
    : never) = never,
> = NameOrSchema extends InSchema
  ? Schemas[NameOrSchema["schema"]]["Tables"][Name] extends {
      Update: infer Update
    }
    ? Update
    : never
  : NameOrSchema extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][NameOrSchema] extends { Update: infer Update }
      ? Update
      : never
    : never

/** The labels of an enum. */
export type Enums<
  NameOrSchema extends keyof DefaultSchema["Enums"] | InSchema,
  Name extends (NameOrSchema extends InSchema
    ? keyof Schemas[NameOrSchema["schema"]]["Enums"]
    : never) = never,
> = NameOrSchema extends InSchema
  ? Schemas[NameOrSchema["schema"]]["Enums"][Name]
  : NameOrSchema extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][NameOrSchema]
    : never

/** A composite type. */
export type CompositeTypes<
  NameOrSchema extends keyof DefaultSchema["CompositeTypes"] | InSchema,
  Name extends (NameOrSchema extends InSchema
    ? keyof Schemas[NameOrSchema["schema"]]["CompositeTypes"]
    : never) = never,
> = NameOrSchema extends InSchema
  ? Schemas[NameOrSchema["schema"]]["CompositeTypes"][Name]
  : NameOrSchema extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][NameOrSchema]
    : never
