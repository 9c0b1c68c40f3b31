/* Gives a database the collections of collections.json, with their validators and indexes.
 *
 *   mongosh mongodb://HOST/orderbooks apply.js
 *
 * oblogger does the same at its start; this is for those who let it write only. Run again it changes
 * nothing. Needs createCollection, collMod and createIndex (the role dbAdmin). */
"use strict";

{
        const fs = require("fs");
        const path = require("path");
        const file = path.join(__dirname, "collections.json");
        const { collections } = EJSON.parse(fs.readFileSync(file, "utf8"));

        const listed = new Map();
        for (const { name, options } of db.getCollectionInfos())
                listed.set(name, options);

        const same = (a, b) => EJSON.stringify(a) === EJSON.stringify(b);
        let changed = 0;

        const applyValidator = ({ name, validator }) => {
                if (!listed.has(name))
                        db.createCollection(name, { validator });
                else if (!same(listed.get(name).validator, validator))
                        db.runCommand({ collMod: name, validator });
                else
                        return;
                print(`${name}: ${listed.has(name) ? "validator set" : "made"}`);
                changed++;
        };

        const applyIndex = (name, index) => {
                const done = db.runCommand({ createIndexes: name, indexes: [index] });
                if (done.numIndexesAfter === done.numIndexesBefore)
                        return;
                print(`${name}: index ${index.name} made`);
                changed++;
        };

        if (db.getName() === "test")
                throw new Error("name the database in the URI: mongodb://HOST/orderbooks");
        for (const collection of collections) {
                applyValidator(collection);
                for (const index of collection.indexes)
                        applyIndex(collection.name, index);
        }
        print(`${db.getName()}: ${collections.length} collections, ${changed} changes`);
}
